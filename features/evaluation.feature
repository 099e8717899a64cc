Feature: Measuring retrieval, and tuning it
  `rag eval` measures a collection whose answers are known, and tells two runs apart; `rag tune`
  finds better settings for a workspace, says what they rest on, and can be undone.

  Spare parts have a number each. Some sentences are more like the questions than the parts are:
  who searches by meaning alone finds the sentences, who counts rare words the part.

  Scenario: A collection is measured
    Given a collection of spare parts
    When I run "eval parts --json"
    Then the exit status is 0
    And it prints the figures "ndcg@10, recall@10, recall@100, mrr@10, map, p50_ms, p95_ms, p99_ms, docs_per_s, peak_mb"
    And "recall@100" is 1

  Scenario: Two runs are told apart
    Given a collection of spare parts
    When I run "eval parts --keep kept --per-query meaning.jsonl --set fusion.keyword=0 --json"
    And I run "eval parts --keep kept --per-query both.jsonl --set fusion.dense=0.3 --set fusion.keyword=0.7 --json"
    And I run "eval --compare meaning.jsonl both.jsonl --json"
    Then "ndcg@10" is higher in the second run, beyond chance
    When I run "eval --compare both.jsonl both.jsonl --json"
    Then "ndcg@10" is the same in both runs

  Scenario: A workspace is tuned, and rolled back
    Given a workspace of spare parts that is searched by meaning alone
    When I run "tune default --questions questions.jsonl --json"
    Then the choice gains beyond chance
    And the workspace's configuration is at version 1
    When I run "tune default --questions questions.jsonl --apply --json"
    Then the workspace's configuration is at version 2
    When I run "tune default --questions questions.jsonl --apply --json"
    Then the configuration stays
    When I run "workspaces rollback default 1"
    Then the workspace's configuration is at version 3
    And it is the configuration of version 1
