"""The rules of alerts: their kinds, and the TOML file that holds them."""
