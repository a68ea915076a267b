/// What a task of a cluster runs: the trials of its list, one after the other.
enum ClusterScript {
    /// - Parameters:
    ///   - command: the runner and its first arguments; a trial's directory comes last.
    ///   - folder: has a list for each task, `SECONDS<tab>DIRECTORY` a line.
    static func text(command: [String], folder: String) -> String {
        let words = command.map(quoted).joined(separator: " ")
        return """
            #!/bin/sh
            # Written by plawd for one job. An attempt is run by whoever claims it first, and by nobody else, however often a
            # scheduler starts this.
            child= stopped=
            end() { stopped=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }
            trap end TERM INT
            tab=$(printf '\\t')
            while IFS=$tab read -r seconds attempt <&3; do
                [ -z "$stopped" ] || break
                cd "$attempt" 2>/dev/null && mkdir claim 2>/dev/null || continue
                PLAW_SECONDS_LEFT=$seconds \(words) "$attempt" 3<&- </dev/null >/dev/null 2>>worker.log &
                child=$!
                wait "$child"; status=$?
                # A signal ends a wait before the runner has ended.
                while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
                child=
                echo "$status" >exit.partial && mv exit.partial exit
                # Stopped for this trial alone.
                [ ! -e stop ] || stopped=
            done 3<\(quoted(folder))/"${SLURM_ARRAY_TASK_ID:-$PLAW_TASK}"

            """
    }

    /// A word for the shell.
    static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
