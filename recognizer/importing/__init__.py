"""Import labelled pictures: what files hold, previews, storing and undoing."""
