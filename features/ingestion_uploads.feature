Feature: Handing documents in
  Documents come as text, as questions with answers, many at once, or from a website; each request
  can be repeated safely, and says of every document what became of it.

  Background:
    Given an empty workspace

  Scenario: A text is a document
    When I hand in the text "Parking costs 4 EUR a day." as "notes/parking"
    Then the document becomes "indexed"
    When I ask "What does parking cost a day?"
    Then the answer says "4 EUR"

  Scenario: A question is what is searched, its answer is what is shown
    When I hand in these questions and answers as "faq/pets"
      | question                                | answer                        |
      | Are herons admitted to the glass house? | Yes, on weekdays before noon. |
      | Where are umbrellas kept overnight?     | In the locker by the gate.    |
    Then the document becomes "indexed"
    When I search "Are herons admitted to the glass house?"
    Then the first hit is "faq/pets"
    And the first hit shows "Yes, on weekdays before noon." below "Are herons admitted to the glass house?"
    When I ask "Are herons admitted to the glass house?"
    Then the answer says "weekdays before noon"

  Scenario: A batch takes the files that it can, and says why it does not take the others
    When I hand in these files at once
      | name        | content                             |
      | parking.txt | Parking costs 4 EUR a day.          |
      | picture.txt | GIF89a\x01\x00                      |
      | lockers.md  | # Lockers\n\nLockers open at seven. |
    Then it is accepted as a job
    And the job ends with 2 indexed and 1 refused
    And the job says of "picture.txt" the code "unsupported_content"
    When I ask "When do lockers open?"
    Then the answer says "seven"

  Scenario: A manifest is refused where the operator allows no place
    When I name the path "/etc/passwd" in a manifest
    Then it is refused with 403 and the code "sources_not_configured"

  Scenario: A website of this machine is not read unless the operator allows it
    When I hand in the website "http://127.0.0.1:9/"
    Then it is accepted as a job
    And the job ends with 0 indexed and 1 refused
    And the job says of "http://127.0.0.1:9/" the code "address_not_allowed"

  Scenario: The same request twice has one answer
    When I hand in the text "Parking costs 4 EUR a day." as "notes/parking" under the key "k-1"
    And I hand in the text "Parking costs 4 EUR a day." as "notes/parking" under the key "k-1"
    Then both answers are the same

  Scenario: One key for two requests is refused
    When I hand in the text "Parking costs 4 EUR a day." as "notes/parking" under the key "k-1"
    And I hand in the text "Parking costs 5 EUR a day." as "notes/parking" under the key "k-1"
    Then it is refused with 422 and the code "idempotency_conflict"

  Scenario: A workspace is held to its quota, and shows its use
    Given a deployment with "RAG_QUOTA__MAX_DOCUMENTS" set to "1"
    And an empty workspace
    When I hand in the text "Parking costs 4 EUR a day." as "notes/parking"
    And I hand in the text "Lockers open at seven." as "notes/lockers"
    Then it is refused with 429 and the code "quota_exceeded"
    And the reason mentions "max_documents"
    And the workspace holds 1 document of 1
