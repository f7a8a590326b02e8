"""The staff's desk: pages in the admin for review, learning and the figures."""
