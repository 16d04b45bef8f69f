"""The database: schema, migrations, and one repository a noun. All SQL lives in this room."""
