from django.db import models


class Alert(models.Model):
    text = models.CharField(max_length=200)
    made_at = models.DateTimeField(auto_now_add=True)
