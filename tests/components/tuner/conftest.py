from tests.components.trainer.conftest import world as world
