package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var errorCases, conflictCases, powerCases, cpuMemoryCases, volumeCases, networkCases, imageCases, firmwareCases,
	placementCases, taskCases, concurrencyCases, cancelCases, guestCases, cloudInitCases, shutdownCases []Case

type Refusal struct {
	Feature backends.Feature
	Run     func(t *testing.T, e *Env)
}

func Refusals() []Refusal { return nil }
