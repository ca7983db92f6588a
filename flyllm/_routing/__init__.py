"""Who takes a request and when: instances, what is known of them, strategies, and the pool that leases them."""
