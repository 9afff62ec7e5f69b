"""The view: a page on which cameras are seen live and zones are drawn."""
