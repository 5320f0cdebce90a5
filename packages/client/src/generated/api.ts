// Generated from the OpenAPI document by `npm run generate`; do not edit.

export interface paths {
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Acts on record, newest first. */
        get: operations["listAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The record with its seals and public keys as JSON lines, to be verified elsewhere. */
        get: operations["exportAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Checks the whole record and every run’s log: progress as JSON lines, the verdict last. */
        get: operations["verifyAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/budgets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The budgets that apply, as they stand. */
        get: operations["listBudgets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The campaigns of projects one may see, newest first, as far as one sees their projects. */
        get: operations["listCampaigns"];
        put?: never;
        /** Hands one task in to many projects, a few at a time. */
        post: operations["createCampaign"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a campaign stands: counts, cost, failures by code. */
        get: operations["getCampaign"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing more is handed in, and its runs are ended. */
        post: operations["cancelCampaign"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing more is handed in until it is resumed; what runs goes on. */
        post: operations["pauseCampaign"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What became of each project, in their order. */
        get: operations["listCampaignResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Goes on, also past what stopped it; failures so far count no more. */
        post: operations["resumeCampaign"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Another attempt where it failed, or where it ended with one code. */
        post: operations["retryCampaign"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The configuration that counts, where each part comes from, and what is wrong with the file. */
        get: operations["getConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/{section}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a section that is one object of the configuration. */
        get: operations["getConfigSection"];
        /** Makes or replaces a section that is one object in the layer of the API. */
        put: operations["putConfigSection"];
        post?: never;
        /** Deletes a section that is one object from the layer of the API. */
        delete: operations["deleteConfigSection"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/{section}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads an object by its name of the configuration. */
        get: operations["getConfigObject"];
        /** Makes or replaces an object by its name in the layer of the API. */
        put: operations["putConfigObject"];
        post?: never;
        /** Deletes an object by its name from the layer of the API. */
        delete: operations["deleteConfigObject"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Looks at the text of a configuration file without importing it. */
        post: operations["checkConfig"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Both layers as one YAML file. */
        get: operations["exportConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/revisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The revisions of the configuration, newest first. */
        get: operations["listConfigRevisions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/schema.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The JSON Schema of the configuration file, for editors. */
        get: operations["getConfigSchema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Deliveries of projects one maintains, newest first; `dead` are those given up. */
        get: operations["listDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One delivery with its body, as it was kept: without secrets. */
        get: operations["getDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}/run-again": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Works a settled delivery off again; what has a task gets no second one. */
        post: operations["runDeliveryAgain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Looks whether everything Berth needs is there and works. */
        get: operations["doctor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What waits for approval, of the newest runs first. */
        get: operations["listGates"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gates/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One gate, decided or not. */
        get: operations["getGate"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gates/{id}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Approves what a gate asks, and waives the objections it lists. */
        post: operations["approveGate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gates/{id}/refuse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refuses what a gate asks; the run ends and its work is kept. */
        post: operations["refuseGate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hooks/forges/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a signed delivery of a code host. */
        post: operations["receiveForgeHook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hooks/triggers/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a signed delivery for a webhook trigger. */
        post: operations["receiveTriggerHook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who asks: roles, permissions, sessions, and the value that protects changes. */
        get: operations["getMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/sessions/{sessionId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of the sessions of whoever asks. */
        delete: operations["endSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/people": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** People and service accounts with their roles and where each role comes from. */
        get: operations["listPeople"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The projects one may see, by name. */
        get: operations["listProjects"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One project, with each setting, where it comes from and its key. */
        get: operations["getProject"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{id}/egress/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether sandboxes of a project may reach a host, and which rule of which layer says so. */
        get: operations["explainEgress"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{id}/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Replaces the settings of a project in the layer of the API, within what its maintainers may change. */
        put: operations["configureProject"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{id}/snapshots": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The snapshots of setup of a project: when and by which run each was made, its size, its last use. */
        get: operations["listSnapshots"];
        put?: never;
        post?: never;
        /** Forgets all snapshots of setup of a project; its next run runs its setup. */
        delete: operations["clearSnapshots"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/proposals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Proposals, newest first. */
        get: operations["listProposals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/proposals/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One proposal with the text of its pull request. */
        get: operations["getProposal"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/proposals/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Closes the pull request without merging. */
        post: operations["closeProposal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/proposals/{id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Unified diff of a proposal against its base. */
        get: operations["getProposalDiff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/proposals/{id}/merge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Merges the pull request on the local forge. */
        post: operations["mergeProposal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Runs, newest first; with `fields`, rows have only these members. */
        get: operations["listRuns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One run. */
        get: operations["getRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/branch-off": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A new task that begins with the working tree of a checkpoint, on a branch of its own. */
        post: operations["branchOffRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends a run; its work so far is kept. */
        post: operations["cancelRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Unified diff against the base, or between two checkpoints. Which checkpoint it shows stands in the headers `berth-seq`, `berth-checkpoint-seq` and `berth-between`. */
        get: operations["getRunDiff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Settled events in order, with their payloads. `before` answers the last ones before it. */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events/{seq}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One event with its payload. */
        get: operations["getEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The bytes of a file of the working tree as it was at a checkpoint; at most 5 MiB. */
        get: operations["getFile"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A folder of the working tree as it was at a checkpoint. */
        get: operations["listFiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says something to the agent, now or after its step. */
        post: operations["steerRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/outline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Steps past and to come, turns, counts, marks and strip; at most 20 kB. */
        get: operations["getOutline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/outputs/{callId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The whole output of a command or tool call. */
        get: operations["getOutput"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Holds a run until it is resumed. */
        post: operations["pauseRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Goes on after a pause, a crash, or an end by a limit or for a person. */
        post: operations["resumeRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Another attempt at the same task, on its branch and for its pull request. */
        post: operations["retryRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Entries that hold a text, or say that something failed. */
        get: operations["searchRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a run stood after an entry: status, outline, limits, changes, network, context. */
        get: operations["getRunState"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Settled events and live frames as Server-Sent Events. */
        get: operations["streamRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/summaries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Settled events in order, without their payloads; the newest page unless `after` or `before` is given. */
        get: operations["listSummaries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/terminal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A shell in the sandbox of the run, over a WebSocket. */
        get: operations["openTerminal"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Checks one run’s log against its hashes and the seals that anchored it. */
        get: operations["verifyRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The schedules of projects one may see, with their next times and last outcomes. */
        get: operations["listSchedules"];
        put?: never;
        /** Makes a schedule in the layer of the API. */
        post: operations["createSchedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One schedule; its ETag is the version that a change names. */
        get: operations["getSchedule"];
        /** Replaces a schedule of the layer of the API. */
        put: operations["changeSchedule"];
        post?: never;
        /** Deletes a schedule of the layer of the API; its runs stay. */
        delete: operations["deleteSchedule"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** It fires no more until it is resumed; also one that comes from the file. */
        post: operations["pauseSchedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Goes on from now, and counts failures anew. */
        post: operations["resumeSchedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hands in its task now. */
        post: operations["runSchedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One stream of several runs’ events and of changes in the list, as Server-Sent Events. */
        get: operations["streamAll"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks with the state of their newest run, newest first; with `fields`, rows have only these members. */
        get: operations["listTasks"];
        put?: never;
        /** Creates a task and queues its first run. */
        post: operations["createTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One task. */
        get: operations["getTask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Own tokens, or those of all for who manages people. A token sees itself alone. */
        get: operations["listTokens"];
        put?: never;
        /** Makes a token; the answer shows its secret this once. */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes a token at once; what it has opened ends. */
        delete: operations["revokeToken"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/triggers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The triggers of projects one may see, with the path their deliveries are sent to. */
        get: operations["listTriggers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/triggers/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says what a trigger would make of a body, and why not; makes nothing. */
        post: operations["testTrigger"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was used: of visible projects, and one’s own. */
        get: operations["getUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs a browser in with the code of a one-time link. */
        post: operations["signInByLink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/methods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ways to sign in that are set up. */
        get: operations["listSignInMethods"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-out": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the session of this browser and whatever it has open. */
        post: operations["signOut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-out-everywhere": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends all sessions of whoever asks, in every browser, and whatever they have open. */
        post: operations["signOutEverywhere"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AuditAct: {
            action: string;
            at: string;
            by: string;
            byKind: string;
            code: string | null;
            details: {
                [key: string]: unknown;
            };
            endedAt: string | null;
            from: {
                address: string | null;
                agent: string | null;
            };
            id: string;
            object: {
                id: string;
                kind: string;
                projectId: string | null;
            };
            position: number;
            requestId: string | null;
            /** @enum {string} */
            result: "allowed" | "denied" | "failed" | "open" | "unknown";
            tokenId: string | null;
            via: string;
        };
        AuditVerdict: {
            cut: {
                before: string;
                position: number;
            } | null;
            entries: number;
            erased: number;
            events: number;
            findings: {
                position?: number;
                problem: string;
                run?: string;
                seal?: number;
                sentence: string;
                seq?: number;
            }[];
            head: {
                hash: string;
                number: number;
            } | null;
            more: number;
            ok: boolean;
            runs: number;
            /** @constant */
            schema: "berth.audit-verdict/v1";
            seals: number;
            unsealed: {
                count: number;
                from: number | null;
                oldestAt: string | null;
            };
        };
        Budgets: {
            budgets: {
                /** @enum {string} */
                amount: "costUsd" | "tokens" | "runs";
                cap: number;
                from: string;
                name: string;
                /** @enum {string} */
                per: "day" | "week" | "month";
                reserved: number;
                /** @enum {string} */
                scope: "installation" | "project" | "principal";
                until: string;
                used: number;
            }[];
            /** @constant */
            schema: "berth.budgets/v1";
        };
        Campaign: {
            canary: number;
            canaryPassed: boolean;
            code: string | null;
            concurrency: number;
            costUsd: number;
            counts: {
                [key: string]: number;
            };
            createdAt: string;
            createdBy: string;
            failures: {
                code: string | null;
                projects: number;
                reason: string;
                runs: string[];
            }[];
            id: string;
            projects: number;
            reason: string | null;
            /** @constant */
            schema: "berth.campaign/v1";
            /** @enum {string} */
            state: "running" | "paused" | "stopped" | "cancelled" | "done";
            stateBy: string;
            stateSince: string;
            stopOnFailureRate: number | null;
            text: string;
            title: string;
        };
        CampaignResult: {
            code: string | null;
            costUsd: number;
            project: string;
            projectId: string;
            pullRequest: {
                number: number;
                url: string;
            } | null;
            reason: string | null;
            runId: string | null;
            /** @enum {string} */
            state: "waiting" | "queued" | "running" | "needs_person" | "succeeded" | "failed" | "cancelled";
            taskId: string | null;
        };
        Config: {
            config: {
                [key: string]: unknown;
            };
            file: {
                path: string;
                /** @enum {string} */
                state: "none" | "counts" | "differs" | "invalid" | "unreadable";
            };
            problems: components["schemas"]["ConfigProblem"][];
            revision: number;
            /** @constant */
            schema: "berth.config/v1";
            sources: {
                [key: string]: "default" | "file" | "database";
            };
            warnings: string[];
        };
        ConfigChange: {
            revision: number;
            version: string | null;
        };
        ConfigObject: {
            changedAt: string | null;
            changedBy: string | null;
            editable: boolean;
            id: string;
            /** @enum {string} */
            source: "default" | "file" | "database";
            value: {
                [key: string]: unknown;
            } | null;
        };
        ConfigProblem: {
            column: number;
            line: number;
            path: string;
            sentence: string;
        };
        ConfigRevision: {
            at: string;
            by: string;
            digest: string;
            number: number;
            /** @enum {string} */
            source: "file" | "database";
        };
        Delivery: {
            attempts: number;
            bytes: number;
            code: string | null;
            /** @enum {string} */
            entrance: "forge" | "trigger";
            event: string;
            externalId: string;
            id: string;
            name: string;
            notes: string[];
            project: string | null;
            reason: string | null;
            receivedAt: string;
            round: number;
            /** @constant */
            schema: "berth.delivery/v1";
            settledAt: string | null;
            /** @enum {string} */
            state: "waiting" | "queued" | "done" | "ignored" | "dead";
            subject: string | null;
            taskId: string | null;
            trigger: string | null;
        };
        DeliveryWithBody: {
            attempts: number;
            body: string;
            bytes: number;
            code: string | null;
            /** @enum {string} */
            entrance: "forge" | "trigger";
            event: string;
            externalId: string;
            id: string;
            name: string;
            notes: string[];
            project: string | null;
            reason: string | null;
            receivedAt: string;
            round: number;
            /** @constant */
            schema: "berth.delivery/v1";
            settledAt: string | null;
            /** @enum {string} */
            state: "waiting" | "queued" | "done" | "ignored" | "dead";
            subject: string | null;
            taskId: string | null;
            trigger: string | null;
        };
        Doctor: {
            checks: {
                fix: string | null;
                id: string;
                ms: number;
                sentence: string;
                /** @enum {string} */
                state: "pass" | "warn" | "fail" | "skip";
            }[];
            ok: boolean;
            /** @constant */
            schema: "berth.doctor/v1";
        };
        EgressExplained: {
            addresses: {
                address: string;
                refused: string | null;
            }[];
            host: string;
            method: string | null;
            path: string | null;
            port: number;
            project: string;
            /** @constant */
            schema: "berth.egress/v1";
            steps: {
                allowed: boolean;
                contents: ("inspect" | "tunnel") | null;
                credential: string | null;
                /** @enum {string} */
                layer: "blueprint" | "project" | "installation" | "ecosystem" | "deny" | "range" | "none";
                reason: string;
                rule: string | null;
                /** @enum {string} */
                step: "setup" | "agent" | "check" | "verify";
            }[];
            unresolved: string | null;
        };
        Event: {
            at: string;
            data: unknown;
            /** @enum {string} */
            importance: "low" | "normal" | "high";
            run: string;
            /** @constant */
            schema: "berth.event/v1";
            seq: number;
            step: string | null;
            title: string;
            type: string;
        };
        EventSummary: {
            at: string;
            failed: boolean;
            /** @enum {string} */
            importance: "low" | "normal" | "high";
            seq: number;
            step: string | null;
            title: string;
            type: string;
        };
        Failure: {
            error: {
                code: string;
                details: {
                    [key: string]: unknown;
                };
                message: string;
                next: string | null;
                requestId: string | null;
                retryable: boolean;
            };
            /** @constant */
            schema: "berth.error/v1";
        };
        FileList: {
            at: string;
            between: number;
            checkpointSeq: number;
            entries: {
                bytes: number | null;
                /** @enum {string} */
                kind: "folder" | "file" | "executable" | "symlink" | "submodule";
                name: string;
            }[];
            path: string;
            run: string;
            /** @constant */
            schema: "berth.files/v1";
            seq: number;
            tree: string;
            truncated: boolean;
        };
        Gate: {
            /** @enum {string} */
            at: "start" | "proposal" | "objection";
            comment: string | null;
            decidedAt: string | null;
            decidedBy: string | null;
            expiresAt: string;
            id: string;
            objections: {
                code: string;
                sentence: string;
            }[];
            openedAt: string;
            project: string;
            proposal: {
                added: number;
                base: string;
                branch: string;
                commit: string;
                files: number;
                removed: number;
                tree: string;
            } | null;
            reason: string;
            run: string;
            /** @constant */
            schema: "berth.gate/v1";
            selfApproval: boolean;
            /** @enum {string} */
            state: "open" | "approved" | "refused" | "expired" | "withdrawn";
            title: string;
            whoMay: string;
        };
        HookAnswer: {
            id: string | null;
            repeated: boolean;
            /** @constant */
            schema: "berth.hook/v1";
        };
        LiveFrame: {
            callId: string;
            /** @enum {string} */
            kind: "text" | "reasoning" | "tool-input" | "output";
            /** @enum {string} */
            stream?: "stdout" | "stderr";
            text: string;
            toolName?: string;
        };
        Me: {
            /** @description Header X-Berth-Csrf of requests that change something; null where none is needed. */
            csrf: string | null;
            globalRole: ("viewer" | "member" | "approver" | "maintainer" | "admin") | null;
            id: string;
            /** @enum {string} */
            kind: "person" | "service" | "local";
            name: string;
            /** @description On the installation and every project. */
            permissions: {
                /** @enum {string} */
                permission: "project.read" | "project.create" | "project.configure" | "run.read" | "task.create" | "run.act" | "run.terminal" | "gate.decide" | "proposal.decide" | "schedule.manage" | "campaign.manage" | "usage.read" | "audit.read" | "people.read" | "people.manage" | "config.read" | "config.write" | "system.read" | "system.operate";
                /**
                 * @description `own`: only on what oneself handed in.
                 * @enum {string}
                 */
                reach: "any" | "own";
            }[];
            projects: {
                id: string;
                name: string | null;
                permissions: {
                    /** @enum {string} */
                    permission: "project.read" | "project.create" | "project.configure" | "run.read" | "task.create" | "run.act" | "run.terminal" | "gate.decide" | "proposal.decide" | "schedule.manage" | "campaign.manage" | "usage.read" | "audit.read" | "people.read" | "people.manage" | "config.read" | "config.write" | "system.read" | "system.operate";
                    /**
                     * @description `own`: only on what oneself handed in.
                     * @enum {string}
                     */
                    reach: "any" | "own";
                }[];
                /** @enum {string} */
                role: "viewer" | "member" | "approver" | "maintainer" | "admin";
            }[];
            sessions: components["schemas"]["Session"][];
            via: string;
        };
        Outline: {
            costUsd: number;
            counts: {
                calls: number;
                checkpoints: number;
                commands: number;
                denied: number;
                events: number;
                failures: number;
                high: number;
                messages: number;
                turns: number;
            };
            marks: {
                /** @enum {string} */
                kind: "failure" | "check" | "egress" | "message" | "limit" | "recovery" | "checkpoint";
                seq: number;
            }[];
            olderTurns: number;
            run: string;
            /** @constant */
            schema: "berth.outline/v1";
            seq: number;
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
            steps: {
                attempts: number;
                calls: number;
                costUsd: number;
                durationMs: number | null;
                failures: number;
                fromSeq: number | null;
                kind: string;
                name: string;
                sentence: string;
                startedAt: string | null;
                /** @enum {string} */
                state: "pending" | "running" | "passed" | "failed" | "skipped" | "interrupted";
                turns: number;
            }[];
            strip: {
                cellMs: number;
                cells: string;
                seqs: number[];
            };
            turns: {
                calls: number;
                ms: number;
                seq: number;
                step: string;
                title: string;
                usd: number;
            }[];
        };
        Person: {
            disabled: boolean;
            id: string;
            /** @enum {string} */
            kind: "person" | "service";
            lastSeenAt: string | null;
            name: string;
            roles: {
                group: string | null;
                /** @description Null: on the installation and every project. */
                project: string | null;
                /** @enum {string} */
                role: "viewer" | "member" | "approver" | "maintainer" | "admin";
                sentence: string;
            }[];
            /**
             * @description `file`: read-only here. `sign-in`: nobody wrote an entry, the person was only seen.
             * @enum {string}
             */
            source: "default" | "file" | "database" | "sign-in";
            /** @description The way in that was used last. */
            via: string | null;
        };
        Problem: {
            code: string;
            detail: string;
            details: {
                [key: string]: unknown;
            };
            exit: number;
            next: string | null;
            requestId: string;
            retryable: boolean;
            status: number;
            title: string;
            type: string;
        };
        Project: {
            createdAt: string;
            description: string;
            editable: boolean;
            id: string;
            name: string;
            own: {
                [key: string]: unknown;
            } | null;
            repository: string;
            revision: number;
            /** @constant */
            schema: "berth.project/v1";
            settings: {
                key: string;
                name: string;
                /** @enum {string} */
                source: "default" | "file" | "database";
                value: unknown;
            }[];
            /** @enum {string} */
            source: "default" | "file" | "database";
        };
        ProjectRow: {
            createdAt: string;
            description: string;
            id: string;
            name: string;
            repository: string;
            /** @constant */
            schema: "berth.project/v1";
            /** @enum {string} */
            source: "default" | "file" | "database";
        };
        ProjectSnapshots: {
            mostStoredBytes: number;
            project: string;
            /** @constant */
            schema: "berth.snapshots/v1";
            snapshots: components["schemas"]["Snapshot"][];
            storedBytes: number;
        };
        Proposal: {
            base: {
                commit: string;
                ref: string;
            };
            branch: string;
            checks: {
                command: string;
                durationMs: number;
                exitCode: number | null;
                name: string;
                tree: string;
                verdict: string;
                /** @enum {string} */
                where: "work" | "verify";
            }[];
            commit: string;
            costUsd: number;
            createdAt: string;
            diffstat: {
                added: number;
                files: number;
                removed: number;
            };
            id: string;
            policy: {
                result: string;
                rule: string;
            }[];
            pr: {
                cloneUrl: string | null;
                mergedAs: string | null;
                number: number;
                /** @enum {string} */
                state: "draft" | "open" | "merged" | "closed";
                url: string;
            } | null;
            project: string;
            pushedTree: string | null;
            repository: string;
            run: string;
            /** @constant */
            schema: "berth.proposal/v1";
            simulated: boolean;
            task: string;
            title: string;
            tree: string;
            verified: boolean;
        };
        ProposalWithBody: {
            base: {
                commit: string;
                ref: string;
            };
            body: string;
            branch: string;
            checks: {
                command: string;
                durationMs: number;
                exitCode: number | null;
                name: string;
                tree: string;
                verdict: string;
                /** @enum {string} */
                where: "work" | "verify";
            }[];
            commit: string;
            costUsd: number;
            createdAt: string;
            diffstat: {
                added: number;
                files: number;
                removed: number;
            };
            id: string;
            policy: {
                result: string;
                rule: string;
            }[];
            pr: {
                cloneUrl: string | null;
                mergedAs: string | null;
                number: number;
                /** @enum {string} */
                state: "draft" | "open" | "merged" | "closed";
                url: string;
            } | null;
            project: string;
            pushedTree: string | null;
            repository: string;
            run: string;
            /** @constant */
            schema: "berth.proposal/v1";
            simulated: boolean;
            task: string;
            title: string;
            tree: string;
            verified: boolean;
        };
        Run: {
            attempt: number;
            base: {
                commit: string;
                ref: string;
            } | null;
            blueprint: {
                name: string;
                source: string;
            } | null;
            branch: string;
            changes: {
                added: number;
                files: number;
                removed: number;
                tree: string;
            } | null;
            costUsd: number;
            createdAt: string;
            endedAt: string | null;
            gate: components["schemas"]["Gate"] | null;
            id: string;
            limits: {
                cap: number;
                /** @enum {string} */
                name: "cost" | "tokens" | "steps" | "minutes" | "rounds" | "runs";
                /** @enum {string} */
                owner: "run" | "project" | "principal" | "installation";
                per: ("day" | "week" | "month") | null;
                reserved: number;
                until: string | null;
                used: number;
            }[];
            models: {
                [key: string]: string[];
            };
            parent: {
                run: string;
                seq: number;
            } | null;
            project: string;
            proposal: string | null;
            pullRequest: {
                draft: boolean;
                number: number;
                url: string;
            } | null;
            /** @constant */
            schema: "berth.run/v1";
            secrets: {
                brokered: {
                    host: string;
                    name: string;
                }[];
                exposed: string[];
            };
            seq: number;
            setup: {
                ran: number;
                restored: number;
            };
            simulated: boolean;
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
            steps: {
                attempts: number;
                costUsd: number;
                durationMs: number | null;
                kind: string;
                name: string;
                sentence: string;
                startedAt: string | null;
                /** @enum {string} */
                state: "pending" | "running" | "passed" | "failed" | "skipped" | "interrupted";
            }[];
            task: string;
            title: string;
            tokens: {
                cached: number;
                in: number;
                out: number;
            };
        };
        RunRow: {
            attempt: number;
            branch: string;
            changes: {
                added: number;
                files: number;
                removed: number;
            } | null;
            costUsd: number;
            createdAt: string;
            endedAt: string | null;
            id: string;
            origin: {
                by: string;
                /** @enum {string} */
                kind: "web" | "api" | "cli" | "slack" | "forge" | "jira" | "linear" | "schedule" | "webhook";
                url: string | null;
            };
            parent: {
                run: string;
                seq: number;
            } | null;
            project: string;
            pullRequest: {
                draft: boolean;
                number: number;
                url: string;
            } | null;
            /** @constant */
            schema: "berth.run-row/v1";
            seq: number;
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
            strip: {
                kind: string;
                ms: number | null;
                state: string;
            }[];
            task: string;
            title: string;
            tokens: {
                cached: number;
                in: number;
                out: number;
            };
        };
        RunState: {
            at: string | null;
            changes: {
                added: number;
                files: number;
                removed: number;
                tree: string;
            } | null;
            checkpointSeq: number | null;
            context: {
                condensations: number;
                items: {
                    characters: number;
                    kind: string;
                    path: string;
                    provenance: string;
                    seq: number;
                }[];
                messages: {
                    by: string;
                    deliveredSeq: number;
                    messageId: string;
                    /** @enum {string} */
                    mode: "now" | "after_step";
                    toldSeq: number | null;
                }[];
            };
            head: number;
            limits: {
                cap: number;
                /** @enum {string} */
                name: "cost" | "tokens" | "steps" | "minutes" | "rounds" | "runs";
                /** @enum {string} */
                owner: "run" | "project" | "principal" | "installation";
                per: ("day" | "week" | "month") | null;
                reserved: number;
                until: string | null;
                used: number;
            }[];
            network: {
                allowed: boolean;
                bytesDown: number;
                bytesUp: number;
                host: string;
                port: number;
                reason: string;
                seq: number;
            }[];
            outline: components["schemas"]["Outline"];
            run: string;
            /** @constant */
            schema: "berth.state/v1";
            seq: number;
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
        };
        Schedule: {
            base: string | null;
            cron: string;
            enabled: boolean;
            failuresInRow: number;
            id: string;
            last: components["schemas"]["ScheduleFiring"][];
            limits: {
                costUsd?: number;
                minutes?: number;
                rounds?: number;
                steps?: number;
                tokens?: number;
            };
            /** @enum {string} */
            missed: "skip" | "once";
            name: string;
            next: {
                at: string;
                local: string;
            }[];
            /** @enum {string} */
            overlap: "skip" | "allow" | "replace";
            pauseAfterFailures: number;
            paused: {
                at: string;
                by: string;
                code: string;
                reason: string;
            } | null;
            project: string;
            /** @constant */
            schema: "berth.schedule/v1";
            /** @enum {string} */
            source: "file" | "database";
            task: string;
            timeZone: string;
        };
        ScheduleFiring: {
            by: string;
            code: string | null;
            /** @enum {string} */
            kind: "planned" | "missed" | "asked";
            /** @enum {string} */
            outcome: "open" | "handed_in" | "left_out" | "refused";
            plannedAt: string;
            reason: string | null;
            runId: string | null;
            state: ("queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled") | null;
            taskId: string | null;
        };
        SearchAnswer: {
            matches: components["schemas"]["EventSummary"][];
            next: number | null;
            run: string;
        };
        Session: {
            address: string | null;
            agent: string | null;
            createdAt: string;
            /** @description The one this request came by. */
            current: boolean;
            id: string;
            lastUsedAt: string;
            via: string;
        };
        SignInMethods: {
            cloudflareAccess: boolean;
            /** @description One-time links of the account that runs this server. */
            link: boolean;
            /** @description Begin at `GET /auth/oidc/start`. */
            oidc: {
                name: string;
            } | null;
            trustedHeader: boolean;
        };
        Snapshot: {
            bytes: number;
            files: number;
            key: string;
            lastUsedAt: string;
            madeAt: string;
            run: string;
            storedBytes: number;
        };
        Task: {
            branch: string;
            createdAt: string;
            id: string;
            origin: {
                by: string;
                /** @enum {string} */
                kind: "web" | "api" | "cli" | "slack" | "forge" | "jira" | "linear" | "schedule" | "webhook";
                url: string | null;
            };
            project: string;
            proposal: string | null;
            runs: string[];
            /** @constant */
            schema: "berth.task/v1";
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
            text: string;
            title: string;
        };
        TaskRow: {
            attempts: number;
            branch: string;
            changes: {
                added: number;
                files: number;
                removed: number;
            } | null;
            costUsd: number;
            createdAt: string;
            id: string;
            origin: {
                by: string;
                /** @enum {string} */
                kind: "web" | "api" | "cli" | "slack" | "forge" | "jira" | "linear" | "schedule" | "webhook";
                url: string | null;
            };
            project: string;
            pullRequest: {
                draft: boolean;
                number: number;
                url: string;
            } | null;
            run: string;
            /** @constant */
            schema: "berth.task-row/v1";
            status: {
                code: string | null;
                lastEventAt: string | null;
                next: string | null;
                queue: {
                    etaSec: number | null;
                    position: number;
                } | null;
                reason: string;
                round: {
                    n: number;
                    of: number;
                } | null;
                since: string;
                /** @enum {string} */
                state: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
                step: string | null;
            };
            strip: {
                kind: string;
                ms: number | null;
                state: string;
            }[];
            title: string;
        };
        Token: {
            createdAt: string;
            createdBy: string;
            expiresAt: string;
            id: string;
            /** @description Written at most once a minute. */
            lastUsed: {
                address: string | null;
                at: string;
                route: string;
            } | null;
            /** @description Principal id; `service:<name>` for a service account. */
            owner: string;
            ownerName: string;
            /** @description Null: all that its owner has. */
            permissions: ("project.read" | "project.create" | "project.configure" | "run.read" | "task.create" | "run.act" | "run.terminal" | "gate.decide" | "proposal.decide" | "schedule.manage" | "campaign.manage" | "usage.read" | "audit.read" | "people.read" | "people.manage" | "config.read" | "config.write" | "system.read" | "system.operate")[] | null;
            /** @description Null: every project its owner may see. */
            projects: {
                id: string;
                name: string | null;
            }[] | null;
            purpose: string;
            revokedAt: string | null;
            revokedBy: string | null;
            /** @constant */
            schema: "berth.token/v1";
            /** @enum {string} */
            state: "active" | "expired" | "revoked";
        };
        Trigger: {
            enabled: boolean;
            /** @enum {string} */
            kind: "forge" | "webhook";
            name: string;
            on: string;
            path: string | null;
            principal: string;
            project: string;
            /** @constant */
            schema: "berth.trigger/v1";
        };
        TriggerTrial: {
            code: string | null;
            notes: string[];
            project: string;
            reason: string | null;
            /** @constant */
            schema: "berth.trigger-trial/v1";
            text: string | null;
            title: string | null;
            trigger: string;
            wouldStart: boolean;
        };
        Usage: {
            by: ("project" | "principal" | "model" | "day")[];
            from: string;
            rows: {
                calls: number;
                costUsd: number;
                day: string | null;
                lostTokens: number;
                lostUsd: number;
                model: string | null;
                principal: string | null;
                project: string | null;
                runs: number;
                tokens: {
                    cached: number;
                    in: number;
                    out: number;
                };
            }[];
            /** @constant */
            schema: "berth.usage/v1";
            to: string;
            total: {
                calls: number;
                costUsd: number;
                lostTokens: number;
                lostUsd: number;
                runs: number;
                tokens: {
                    cached: number;
                    in: number;
                    out: number;
                };
            };
            truncated: boolean;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listAudit: {
        parameters: {
            query?: {
                /** @description `run.cancel`, or `run` for all of its kind. */
                action?: string;
                /** @description Principal id. */
                by?: string;
                cursor?: string;
                limit?: number;
                /** @description Id of the object. */
                object?: string;
                /** @description Id or name of a project. */
                project?: string;
                result?: "allowed" | "denied" | "failed" | "open" | "unknown";
                since?: string;
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        acts: components["schemas"]["AuditAct"][];
                        next: string | null;
                    };
                };
            };
        };
    };
    exportAudit: {
        parameters: {
            query?: {
                /** @description `run.cancel`, or `run` for all of its kind. */
                action?: string;
                /** @description Principal id. */
                by?: string;
                /** @description Id of the object. */
                object?: string;
                /** @description Id or name of a project. */
                project?: string;
                result?: "allowed" | "denied" | "failed" | "open" | "unknown";
                since?: string;
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": unknown;
                };
            };
        };
    };
    verifyAudit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": unknown;
                };
            };
        };
    };
    listBudgets: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Budgets"];
                };
            };
        };
    };
    listCampaigns: {
        parameters: {
            query?: {
                cursor?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        campaigns: components["schemas"]["Campaign"][];
                        next: string | null;
                    };
                };
            };
        };
    };
    createCampaign: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description So many go first, and have to succeed.
                     * @default 0
                     */
                    canary?: number;
                    /** @default 5 */
                    concurrency?: number;
                    /** @default false */
                    dryRun?: boolean;
                    /** @default {} */
                    options?: {
                        /** @default null */
                        base?: string | null;
                        /** @default {} */
                        limits?: {
                            costUsd?: number;
                            minutes?: number;
                            rounds?: number;
                            steps?: number;
                            tokens?: number;
                        };
                        /** @default null */
                        model?: string | null;
                        /** @default true */
                        propose?: boolean;
                    };
                    /** @description Ids or names; `all`: the configured ones that one may hand tasks in to. */
                    projects: "all" | string[];
                    /**
                     * @description So many have to be over before the rate counts.
                     * @default 5
                     */
                    stopAfter?: number;
                    /** @default null */
                    stopOnFailureRate?: number | null;
                    /** @description What is to be done in each project; 1 to 100000 characters. */
                    text: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        campaign: components["schemas"]["Campaign"] | null;
                        projects: {
                            id: string;
                            name: string;
                        }[];
                    };
                };
            };
        };
    };
    getCampaign: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
        };
    };
    cancelCampaign: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
        };
    };
    pauseCampaign: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
        };
    };
    listCampaignResults: {
        parameters: {
            query?: {
                cursor?: number;
                limit?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        next: number | null;
                        results: components["schemas"]["CampaignResult"][];
                    };
                };
            };
        };
    };
    resumeCampaign: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
        };
    };
    retryCampaign: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    code?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
        };
    };
    getConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Config"];
                };
            };
        };
    };
    getConfigSection: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                section: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigObject"];
                };
            };
        };
    };
    putConfigSection: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                section: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigChange"];
                };
            };
        };
    };
    deleteConfigSection: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                section: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigChange"];
                };
            };
        };
    };
    getConfigObject: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                section: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigObject"];
                };
            };
        };
    };
    putConfigObject: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                name: string;
                section: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigChange"];
                };
            };
        };
    };
    deleteConfigObject: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                name: string;
                section: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigChange"];
                };
            };
        };
    };
    checkConfig: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    text: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        ok: boolean;
                        problems: components["schemas"]["ConfigProblem"][];
                    };
                };
            };
        };
    };
    exportConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string;
                };
            };
        };
    };
    listConfigRevisions: {
        parameters: {
            query?: {
                before?: number;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        next: number | null;
                        revisions: components["schemas"]["ConfigRevision"][];
                    };
                };
            };
        };
    };
    getConfigSchema: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    listDeliveries: {
        parameters: {
            query?: {
                cursor?: string;
                limit?: number;
                /** @description Of the forge or trigger it came in by. */
                name?: string;
                state?: "waiting" | "queued" | "done" | "ignored" | "dead";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        deliveries: components["schemas"]["Delivery"][];
                        next: string | null;
                    };
                };
            };
        };
    };
    getDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryWithBody"];
                };
            };
        };
    };
    runDeliveryAgain: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
        };
    };
    doctor: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Doctor"];
                };
            };
        };
    };
    listGates: {
        parameters: {
            query?: {
                cursor?: string;
                limit?: number;
                /** @description Id, name or repository of a project. */
                project?: string;
                state?: "open";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        gates: components["schemas"]["Gate"][];
                        next: string | null;
                    };
                };
            };
        };
    };
    getGate: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Gate"];
                };
            };
        };
    };
    approveGate: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    comment?: string;
                    /** @description The tree that was looked at: another one is not decided. */
                    tree?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Gate"];
                };
            };
        };
    };
    refuseGate: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    comment?: string;
                    /** @description The tree that was looked at: another one is not decided. */
                    tree?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Gate"];
                };
            };
        };
    };
    receiveForgeHook: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description Of a forge, or of a webhook trigger. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HookAnswer"];
                };
            };
        };
    };
    receiveTriggerHook: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description Of a forge, or of a webhook trigger. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HookAnswer"];
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    endSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sessionId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        ended: number;
                    };
                };
            };
        };
    };
    listPeople: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        people: components["schemas"]["Person"][];
                    };
                };
            };
        };
    };
    listProjects: {
        parameters: {
            query?: {
                cursor?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        next: string | null;
                        projects: components["schemas"]["ProjectRow"][];
                    };
                };
            };
        };
    };
    getProject: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id or a name. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Project"];
                };
            };
        };
    };
    explainEgress: {
        parameters: {
            query: {
                host: string;
                /** @description Of a request; without method and path the connection is judged. */
                method?: string;
                path?: string;
                port?: number;
                /** @description Left out: each. */
                step?: "setup" | "agent" | "check" | "verify";
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EgressExplained"];
                };
            };
        };
    };
    configureProject: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                /** @description An id or a name. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        revision: number;
                        version: string | null;
                    };
                };
            };
        };
    };
    listSnapshots: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProjectSnapshots"];
                };
            };
        };
    };
    clearSnapshots: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        removed: number;
                        storedBytes: number;
                    };
                };
            };
        };
    };
    listProposals: {
        parameters: {
            query?: {
                limit?: number;
                project?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        proposals: components["schemas"]["Proposal"][];
                    };
                };
            };
        };
    };
    getProposal: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProposalWithBody"];
                };
            };
        };
    };
    closeProposal: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Proposal"];
                };
            };
        };
    };
    getProposalDiff: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": string;
                };
            };
        };
    };
    mergeProposal: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Proposal"];
                };
            };
        };
    };
    listRuns: {
        parameters: {
            query?: {
                cursor?: string;
                /** @description Only these members of each row: `id,status.state,costUsd`. Without it: all. */
                fields?: string;
                limit?: number;
                /** @description Id, name or repository of a project. */
                project?: string;
                /** @description A filter: `status:failed code:LIMIT_COST project:web by:me age:<7d cost:>2 "words"`. */
                q?: string;
                /** @description Short for `status:` in `q`. */
                state?: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        next: string | null;
                        runs: components["schemas"]["RunRow"][];
                    };
                };
            };
        };
    };
    getRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
        };
    };
    branchOffRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    limits?: {
                        costUsd?: number;
                        minutes?: number;
                        rounds?: number;
                        steps?: number;
                        tokens?: number;
                    };
                    /** @description An entry: the nearest checkpoint at or before it. Without it: the newest. */
                    seq?: number;
                    /** @description Added to the task. */
                    text?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        place: {
                            at: string;
                            between: number;
                            checkpointSeq: number;
                            seq: number;
                        };
                        run: components["schemas"]["Run"];
                        task: components["schemas"]["Task"];
                    };
                };
            };
        };
    };
    cancelRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
        };
    };
    getRunDiff: {
        parameters: {
            query?: {
                /** @description `base`, or an earlier entry. */
                from?: "base" | number;
                /** @description An entry: the nearest checkpoint at or before it is shown. Without it: the newest. */
                seq?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/x-diff": string;
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                after?: number;
                /** @description The last ones before this entry, in order all the same. */
                before?: number;
                /** @description At least as important. */
                importance?: "low" | "normal" | "high";
                limit?: number;
                /** @description Key of a step. */
                step?: string;
                types?: string;
                /** @description `summary`: as `/summaries` answers. */
                view?: "full" | "summary";
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        events: components["schemas"]["Event"][];
                    };
                };
            };
        };
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
                seq: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
        };
    };
    getFile: {
        parameters: {
            query: {
                path: string;
                /** @description An entry: the nearest checkpoint at or before it is shown. Without it: the newest. */
                seq?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
        };
    };
    listFiles: {
        parameters: {
            query?: {
                path?: string;
                /** @description An entry: the nearest checkpoint at or before it is shown. Without it: the newest. */
                seq?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileList"];
                };
            };
        };
    };
    steerRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @default now
                     * @enum {string}
                     */
                    mode?: "now" | "after_step";
                    text: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        messageId: string;
                    };
                };
            };
        };
    };
    getOutline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outline"];
                };
            };
        };
    };
    getOutput: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                callId: string;
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
        };
    };
    pauseRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    reason?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
        };
    };
    resumeRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    limits?: {
                        costUsd?: number;
                        minutes?: number;
                        rounds?: number;
                        steps?: number;
                        tokens?: number;
                    };
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
        };
    };
    retryRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description The commit the run worked on, or what its branch is now.
                     * @default same
                     * @enum {string}
                     */
                    base?: "same" | "newest";
                    limits?: {
                        costUsd?: number;
                        minutes?: number;
                        rounds?: number;
                        steps?: number;
                        tokens?: number;
                    };
                    /** @description Added to the task for this attempt. */
                    text?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
        };
    };
    searchRun: {
        parameters: {
            query?: {
                after?: number;
                kind?: "any" | "failure";
                limit?: number;
                /** @description In the title or the payload, in whatever case. */
                q?: string;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SearchAnswer"];
                };
            };
        };
    };
    getRunState: {
        parameters: {
            query?: {
                /** @description Without it: now. */
                seq?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunState"];
                };
            };
        };
    };
    streamRun: {
        parameters: {
            query?: {
                after?: number;
            };
            header?: {
                "last-event-id"?: string;
            };
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Problem"];
                };
            };
        };
    };
    listSummaries: {
        parameters: {
            query?: {
                after?: number;
                /** @description The last ones before this entry, in order all the same. */
                before?: number;
                /** @description At least as important. */
                importance?: "low" | "normal" | "high";
                limit?: number;
                /** @description Key of a step. */
                step?: string;
                types?: string;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        events: components["schemas"]["EventSummary"][];
                    };
                };
            };
        };
    };
    openTerminal: {
        parameters: {
            query?: {
                columns?: number;
                rows?: number;
            };
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verifyRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerdict"];
                };
            };
        };
    };
    listSchedules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        schedules: components["schemas"]["Schedule"][];
                    };
                };
            };
        };
    };
    createSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    name: string;
                    project: string;
                } & {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    getSchedule: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    changeSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    project: string;
                } & {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    deleteSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag that was read. */
                "if-match"?: string;
                /** @description `*`: there must be none yet. */
                "if-none-match"?: "*";
            };
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        revision: number;
                    };
                };
            };
        };
    };
    pauseSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    reason?: string;
                } | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    resumeSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    runSchedule: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description The name of a schedule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never> | null;
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
        };
    };
    streamAll: {
        parameters: {
            query?: {
                /** @description The `id` of the last message seen. */
                after?: string;
                /** @description 1: also live frames of the named runs. */
                frames?: "0" | "1";
                /** @description 1: also changes among the rows of runs. */
                lists?: "0" | "1";
                /** @description Ids, comma-separated, each with or without `:<seq>`. */
                runs?: string;
                view?: "summary" | "full";
            };
            header?: {
                "last-event-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTasks: {
        parameters: {
            query?: {
                cursor?: string;
                /** @description Only these members of each row: `id,status.state,costUsd`. Without it: all. */
                fields?: string;
                limit?: number;
                /** @description Id, name or repository of a project. */
                project?: string;
                /** @description A filter: `status:failed code:LIMIT_COST project:web by:me age:<7d cost:>2 "words"`. */
                q?: string;
                /** @description Short for `status:` in `q`. */
                state?: "queued" | "running" | "paused" | "needs_human" | "succeeded" | "failed" | "cancelled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        next: string | null;
                        tasks: components["schemas"]["TaskRow"][];
                    };
                };
            };
        };
    };
    createTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key answers the same task instead of making a second one. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @default {} */
                    options?: {
                        /** @default null */
                        base?: string | null;
                        /** @default null */
                        blueprint?: {
                            path: string;
                            text: string;
                        } | null;
                        /** @default null */
                        cassette?: string | null;
                        /** @default {} */
                        limits?: {
                            costUsd?: number;
                            minutes?: number;
                            rounds?: number;
                            steps?: number;
                            tokens?: number;
                        };
                        /** @default null */
                        model?: string | null;
                        /** @default true */
                        propose?: boolean;
                        /** @default null */
                        record?: string | null;
                    };
                    /**
                     * @default api
                     * @enum {string}
                     */
                    origin?: "cli" | "api";
                    /** @description A URL git understands, or an absolute path on the host of the worker. */
                    repository: string;
                    /** @description What is to be done; 1 to 100000 characters. */
                    text: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        run: components["schemas"]["Run"];
                        task: components["schemas"]["Task"];
                    };
                };
            };
        };
    };
    getTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description An id, a unique prefix of one, or `latest`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
        };
    };
    listTokens: {
        parameters: {
            query?: {
                all?: "true" | "false";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        tokens: components["schemas"]["Token"][];
                    };
                };
            };
        };
    };
    createToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description Days it lives.
                     * @default 30
                     */
                    days?: number;
                    /**
                     * @description Null: all that its owner has.
                     * @default null
                     */
                    permissions?: ("project.read" | "project.create" | "project.configure" | "run.read" | "task.create" | "run.act" | "run.terminal" | "gate.decide" | "proposal.decide" | "schedule.manage" | "campaign.manage" | "usage.read" | "audit.read" | "people.read" | "people.manage" | "config.read" | "config.write" | "system.read" | "system.operate")[] | null;
                    /**
                     * @description Ids, names or repositories; null: every project its owner may see.
                     * @default null
                     */
                    projects?: string[] | null;
                    /** @description What it is for; people read it. */
                    purpose: string;
                    /**
                     * @description Makes it for a service account of the configuration; takes the permission people.manage.
                     * @default null
                     */
                    serviceAccount?: string | null;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description What it can do now, in sentences. */
                        preview: string[];
                        /** @description The token itself. It is shown this once and is nowhere stored. */
                        secret: string;
                        token: components["schemas"]["Token"];
                    };
                };
            };
        };
    };
    revokeToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
        };
    };
    listTriggers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        triggers: components["schemas"]["Trigger"][];
                    };
                };
            };
        };
    };
    testTrigger: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path: {
                /** @description The name of a trigger. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @default {} */
                    body?: {
                        [key: string]: unknown;
                    };
                    /**
                     * @description Of a forge: what its header names, like `issues`.
                     * @default
                     */
                    event?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TriggerTrial"];
                };
            };
        };
    };
    getUsage: {
        parameters: {
            query?: {
                /** @description Comma-separated: project, principal, model, day. */
                by?: string;
                /** @description A day of UTC, `YYYY-MM-DD`. */
                from?: string;
                /** @description Id, name or repository of a project. */
                project?: string;
                /** @description A day of UTC, `YYYY-MM-DD`. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Usage"];
                };
            };
        };
    };
    signInByLink: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    code: string;
                    returnTo?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        csrf: string;
                        id: string;
                        name: string;
                        returnTo: string;
                    };
                };
            };
        };
    };
    listSignInMethods: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInMethods"];
                };
            };
        };
    };
    signOut: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Sessions that ended. */
                        ended: number;
                    };
                };
            };
        };
    };
    signOutEverywhere: {
        parameters: {
            query?: never;
            header?: {
                /** @description Repeats of a request with the same key answer as the first did, for a day. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Sessions that ended. */
                        ended: number;
                    };
                };
            };
        };
    };
}
