"""What the pages share: the app, the person, media links, look, and the edge where errors become text."""
