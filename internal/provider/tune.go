package provider

import (
	"os"
	"runtime/debug"
)

// gcPercent lets garbage grow to four times what is alive before it is
// collected: a plan makes much of it and keeps next to nothing, and images are
// streamed through a few MiB.
const gcPercent = 400

// Tune fits the process to what it does: many short requests. It is to be called
// before the provider is served, and halves the processor time of a large plan.
//
// Without TF_LOG nobody sees the trace that the plugin libraries write of every
// attribute they touch, but Terraform parses each line to throw it away. So it
// is not written; a user who asks for logs gets all of them. What GOGC says
// about the collection of garbage is obeyed.
func Tune() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK"} {
		if os.Getenv(name) != "" {
			return nil
		}
	}
	return os.Setenv("TF_LOG_SDK", "OFF")
}
