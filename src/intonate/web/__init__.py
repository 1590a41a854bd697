"""The page that needs no server: the service's page with the models in the tab (`intonate web`)."""
