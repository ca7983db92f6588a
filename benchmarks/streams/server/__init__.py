"""The providers, as a process of their own that sends what it has recorded from the simulator."""
