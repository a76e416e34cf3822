"""Decisions: predictions become names, priorities and actions. They know no database, file, setting or screen."""
