"""Model cards and the page that compares models, written from the evidence and from nothing else.

The headings of a card are those of Mitchell et al. 2019, "Model cards for model reporting".
"""
