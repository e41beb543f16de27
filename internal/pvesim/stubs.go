package pvesim

type content struct{}
type access struct{}
