from deploy.standins.process import serve
from deploy.standins.resend.app import create_app
from deploy.standins.resend.settings import Settings

if __name__ == "__main__":
    serve("resend", Settings, create_app)
