"""exit_code.py CODE COMMAND ..: runs it, prints what it said, fails unless it exits with CODE and says one line."""
import subprocess
import sys

wanted, command = int(sys.argv[1]), sys.argv[2:]
result = subprocess.run(command, capture_output=True, text=True)
print(result.stdout + result.stderr, end="")
errors = [line for line in result.stderr.splitlines() if line]
if result.returncode != wanted:
    sys.exit(f"exit code {result.returncode}, expected {wanted}")
if len(errors) != 1:
    sys.exit(f"{len(errors)} lines on standard error, expected 1")
