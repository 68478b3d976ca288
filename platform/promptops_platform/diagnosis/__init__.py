"""What `promptops doctor` looks at. Nothing here changes anything."""
