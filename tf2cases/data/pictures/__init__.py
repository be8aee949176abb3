"""Pictures from files, folders and archives."""
