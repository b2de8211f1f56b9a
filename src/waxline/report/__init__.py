"""Show a run: tables, figures and one self-contained HTML document."""
