"""Images in requests: what users give made into chat-completions parts, and whether there are any."""

from flyllm.images.request import has_image_urls, has_images, prompt_content, with_images

__all__ = ["has_image_urls", "has_images", "prompt_content", "with_images"]
