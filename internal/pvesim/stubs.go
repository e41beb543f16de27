package pvesim

type content struct{}
type access struct{}
type haState struct{}
type firewallState struct{}
