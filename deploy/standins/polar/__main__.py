from deploy.standins.polar.app import create_app
from deploy.standins.polar.settings import Settings
from deploy.standins.process import serve

if __name__ == "__main__":
    serve("polar", Settings, create_app)
