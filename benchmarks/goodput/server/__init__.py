"""The simulated providers of a run, in a process of their own: connections and bytes are `flyllm.testing`'s."""
