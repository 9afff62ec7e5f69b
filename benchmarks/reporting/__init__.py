"""Reports: types, and JSON, Markdown, HTML and images made from them."""
