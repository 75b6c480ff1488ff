# Architectures whose attention looks at places through the whole job: causal, rotary with windows, a bias by distance, disentangled (v3's settings, then v2's).
. "$SKIP_TEST_SOURCE/tests/e2e/lib/whole_job.sh"

for architecture in gpt2 modernbert mpnet deberta-v2; do
	whole_job $architecture $architecture --compensate none
done
whole_job deberta-v2-odd deberta-v2 --compensate none

finish
