"""How the detector learns: data, learners and commands of training. Nothing that serves imports it."""
