"""`flyllm check`: whether a configuration is right, and whether its instances answer."""
