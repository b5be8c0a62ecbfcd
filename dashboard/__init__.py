"""The screens: they read what was published and compute no clinical number."""
