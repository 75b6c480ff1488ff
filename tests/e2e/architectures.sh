# Encoders in the manner of BERT through the whole job; BERT itself is fit_toy.sh, those whose attention looks at places are architectures_places.sh.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/whole_job.sh"

for architecture in roberta xlm-roberta camembert distilbert electra; do
	whole_job $architecture $architecture --compensate none
done

# Shared layers: what reads shared units is not refitted.
whole_job albert albert
gives 0 verify small.skip
check "the report says that units left every layer" grep -q '"shared_layers": "tied"' small.skip/metrics.json

# Gradients of all layers that share a weight.
gives 0 attribute albert --data train.tsv --criterion kfac --samples 8 --quiet -o shared.safetensors

# Untied on request: each is cut by itself.
gives 0 prune albert --data train.tsv --dev dev.tsv --rate 0.3 --criterion random --compensate none --untie --quiet -o untied.skip
check "the report says that the layers were untied" grep -q '"shared_layers": "untied"' untied.skip/metrics.json
check "the page too" grep -q 'they were untied' untied.skip/report.html

finish
