from django.urls import path

from hc import views

urlpatterns = [
    path("", views.index),
    path("slow", views.slow),
    path("health", views.health),
]
