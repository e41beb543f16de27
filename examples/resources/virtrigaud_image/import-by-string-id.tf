import {
  to = virtrigaud_image.debian
  id = "default/debian-13"
}
