import time

from django.conf import settings
from django.http import HttpResponse

from hc.models import Alert

# Read when the worker starts, so that it names the code that really runs.
RELEASE = settings.BASE_DIR.name


def name_release(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Release"] = RELEASE
        return response

    return middleware


def index(request):
    return HttpResponse(settings.VERSION + "\n", content_type="text/plain")


def slow(request):
    time.sleep(int(request.GET.get("ms", 300)) / 1000)
    return index(request)


def health(request):
    return HttpResponse(f"ok, {Alert.objects.count()} alerts\n", content_type="text/plain")
