# Devices that do not exist or fail: exit code 4, what exists or the build log.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy head classes=3
printf 'the dog and a cat\n' >lines.txt
gives 0 run head lines.txt
gives 0 devices
check "a device has a row" grep -q 'Portable Computing Language' "$log/out"
gives 0 devices --json
has_keys "$log/out" devices index platform name driver profile type compute_units probed fp16

# No driver at all.
mkdir no-drivers
vendors=${OCL_ICD_VENDORS:-}
OCL_ICD_VENDORS=$work/no-drivers
export OCL_ICD_VENDORS
fails 4 'no OpenCL device found.*' devices
fails 4 'no OpenCL device found; a CPU becomes one by installing PoCL' run head lines.txt
fails 4 'no OpenCL device found' run head lines.txt --device 0:0
gives 0 tokenize head lines.txt
gives 0 inspect head
OCL_ICD_VENDORS=$work/no-drivers/lost.icd
fails 4 'no OpenCL device found' run head lines.txt
OCL_ICD_VENDORS=$vendors

# A profile that makes every build fail: the compiler's own words are shown.
cp -r "$SKIP_TEST_SOURCE/boards" boards
SKIP_BOARDS=$work/boards
export SKIP_BOARDS
gives 0 run head lines.txt
sed -i 's/"options": \[\]/"options": ["-frobnicate"]/' boards/generic.json
check "the profile has a broken option" grep -q frobnicate boards/generic.json
fails 4 'does not build: CL_[A-Z_]+ \(-[0-9]+\)' run head lines.txt
says 'frobnicate'

# Profiles that are wrong are bad input.
printf '{"schema": 1,' >boards/generic.json
fails 3 'boards/generic.json:1: not JSON' run head lines.txt
rm -r boards
fails 3 'boards: cannot read the folder of profiles' devices
unset SKIP_BOARDS

finish
