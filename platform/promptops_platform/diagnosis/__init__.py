"""The checks of `promptops doctor`. Nothing here changes anything."""
