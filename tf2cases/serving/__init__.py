"""SavedModels: exporting them, checking them, asking them."""
