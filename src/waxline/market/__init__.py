"""Markets: ladder books, their clearing, and every price a venue uses."""
