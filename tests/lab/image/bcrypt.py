# Stands in for bcrypt in the manager of Reef as Debian 13 packages it. The real one is a PyO3 module, those refuse to be loaded
# into a second interpreter of one process, and a manager has one a module: 13 of them fail, rbd_support among them.
# What really needs a password hash fails when it asks for one.


def _missing(*_arguments, **_options):
    raise NotImplementedError("no bcrypt in this manager")


hashpw = gensalt = checkpw = _missing
