"""Ways of learning: one file each, whose `learner(...)` returns a `jaxdl.learner.Learner`."""
