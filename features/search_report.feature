Feature: What was searched for
  A workspace's report tells how many searches found something, which questions did not, and how
  long the stages took. Words of questions are kept only where the operator lets them be.

  Scenario: Searches and questions are counted by what came of them
    Given a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "How fast are refunds paid?"
    And I search by keywords alone for "refunds"
    And I search by keywords alone for "xylophone"
    Then the report comes to 3 searches: 2 found, 0 weak and 1 none
    And the report has the latencies of "retrieve" and "total"
    And the metrics count searches by outcome

  Scenario: By default, no word of a question is kept
    Given a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by keywords alone for "xylophone"
    Then the report comes to 1 search: 0 found, 0 weak and 1 none
    And the report holds no text and says that none are recorded

  Scenario: With the operator's leave, questions that found nothing are told
    Given a deployment with "RAG_ANALYTICS__QUESTIONS" set to "true"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by keywords alone for "Xylophone"
    And I search by keywords alone for "xylophone"
    And I search by keywords alone for "refunds"
    Then the report comes to 3 searches: 1 found, 0 weak and 2 none
    And the report tells that "xylophone" found nothing 2 times
    And the report does not hold "refunds"

  Scenario: The report tells no word that a misspelled one was read as
    Given a deployment that keeps questions, with tantivy
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I change the configuration: spelling corrected
    And I search by keywords alone for "purchsae"
    Then the report comes to 1 search: 1 found, 0 weak and 0 none
    And the report says that all of them were corrected
    And the report does not hold "purch"

  Scenario: What neither words nor meaning come near is weak
    Given a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by all means for "xylophone"
    Then the report comes to 1 search: 0 found, 1 weak and 0 none

  Scenario: What is only tried is not counted
    Given a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by all means for "refunds" with the settings {"depth": 7}
    And I search by keywords alone for "refunds"
    Then the report comes to 1 search: 1 found, 0 weak and 0 none

  Scenario: A workspace takes its counts with it
    Given a deployment with "RAG_ANALYTICS__QUESTIONS" set to "true"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by keywords alone for "xylophone"
    And the report comes to 1 search: 0 found, 0 weak and 1 none
    And the workspace is deleted and made anew under its name
    And I search by keywords alone for "mandolin"
    Then the report comes to 1 search: 0 found, 0 weak and 1 none
    And the report does not hold "xylophone"

  Scenario: The command line reports what the service counted
    Given a deployment with "RAG_ANALYTICS__QUESTIONS" set to "true"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I search by keywords alone for "xylophone"
    And the report comes to 1 search: 0 found, 0 weak and 1 none
    And I run rag report WORKSPACE
    Then it ends with 0 and says "1 searches since"
    And it says "xylophone"
