"""How good the models are: runs on synthetic patients nobody trained on, tables and reports."""
