import {
  to = virtrigaud_clone.web
  id = "web-01" # or the clone's id
}
