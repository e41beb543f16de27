package vcsim

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// quiet keeps out of the log what the simulator tells there although it is in order: it has no logger of its own.
type quiet struct{ w io.Writer }

// expected are the beginnings of such messages.
var expected = [][]byte{
	[]byte("*types.FileAlreadyExists: "), // a name is tried, and the next one taken
	[]byte("invalid NFC lease: "),        // a transfer whose lease has ended
}

// Write writes one message of a log.
func (q quiet) Write(p []byte) (int, error) {
	message := p
	if log.Flags()&(log.Ldate|log.Ltime) == log.Ldate|log.Ltime && len(p) > len("2006/01/02 15:04:05 ") {
		message = p[len("2006/01/02 15:04:05 "):]
	}

	for _, e := range expected {
		if bytes.HasPrefix(message, e) {
			return len(p), nil
		}
	}

	return q.w.Write(p)
}

// silence lets the standard logger of the process leave out what is expected.
var silence = sync.OnceFunc(func() { log.SetOutput(quiet{log.Writer()}) })
