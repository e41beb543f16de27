package vcsim

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// loud ends the process where an answer panics. net/http would discard the
// panic, and leave the locks of the objects that it passed held for ever.
func loud() {
	p := recover()
	switch p {
	case nil:
		return
	case http.ErrAbortHandler: // a connection that is to break
		panic(p)
	}

	crash := fmt.Sprintf("simulated vSphere: %v\n\n%s", p, debug.Stack())
	go panic(crash) // which nobody can recover

	select {}
}
