"""Short forms of the campaigns: `make test` runs them, `make test-quick` does not."""
