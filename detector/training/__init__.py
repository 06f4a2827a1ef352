"""The code that trains. Nothing that serves imports it (import-linter holds it): a farm needs no trainer."""
