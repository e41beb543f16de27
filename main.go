// Command terraform-provider-virtrigaud serves the provider to Terraform.
package main

import (
	"context"
	"flag"
	"log"

	fwprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/provider"
)

// version is set by the release build.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger, until interrupted")
	flag.Parse()
	if err := provider.Tune(); err != nil {
		log.Fatal(err)
	}
	p := provider.New(version)
	err := providerserver.Serve(context.Background(), func() fwprovider.Provider { return p }, providerserver.ServeOpts{
		Address: "registry.terraform.io/virtrigaud/virtrigaud",
		Debug:   *debug,
	})
	if closeErr := p.Close(); closeErr != nil {
		log.Printf("[WARN] logging out: %s", closeErr)
	}
	if err != nil {
		log.Fatal(err)
	}
}
