"""What one version of a configuration changed of another."""

from orchestrator.domain.history import Change, differences
from orchestrator.domain.workspaces import Fusion, Understanding, WorkspaceConfig


def test_differences_are_told_by_their_dotted_names():
    before = WorkspaceConfig(depth=50)
    after = WorkspaceConfig(
        fusion=Fusion(method="rrf"), understanding=Understanding(synonyms=(("PTO", "leave"),))
    )

    assert differences(before, after) == [
        Change("fusion.method", "weighted", "rrf"),
        Change("understanding.synonyms", (), (("PTO", "leave"),)),
        Change("depth", 50, 100),
    ]


def test_a_version_may_change_nothing():
    assert differences(WorkspaceConfig(), WorkspaceConfig()) == []
