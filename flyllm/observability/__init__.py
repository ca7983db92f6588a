"""What the owner of a manager gets to see. Each sink is one file and gets the same frozen events."""
