"""Reports: types, and JSON, Markdown, HTML and pictures made from them."""
