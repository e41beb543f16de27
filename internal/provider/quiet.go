package provider

import "os"

// Quiet keeps the plugin libraries from writing a trace of every attribute that
// they touch. Without TF_LOG nobody sees it, but Terraform parses each line to
// throw it away: a third of a plan's processor time. It is to be called before
// the provider is served; a user who asks for logs gets all of them.
func Quiet() error {
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK"} {
		if os.Getenv(name) != "" {
			return nil
		}
	}
	return os.Setenv("TF_LOG_SDK", "OFF")
}
